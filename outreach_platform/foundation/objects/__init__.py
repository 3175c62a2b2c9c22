"""Object stores behind one small protocol: a local folder, Backblaze B2, S3."""
