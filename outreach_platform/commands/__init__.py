"""The terminal's commands. They launch the jobs that UI and schedules launch."""
