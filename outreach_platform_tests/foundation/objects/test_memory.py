"""Memory stays flat: files are streamed whatever their size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from outreach_platform_tests.support.b2_server import B2Server
from outreach_platform_tests.support.s3_server import S3Server

MIB = 1 << 20
TRANSFER = """
import json, sys
from pathlib import Path
from outreach_platform.foundation.objects.b2 import B2Store
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.s3 import S3Store, client_config
from outreach_platform.foundation.objects.upload import upload_once
kind, arguments, folder = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
if kind == "s3":
    import boto3
    bucket = arguments.pop("bucket")
    config = client_config(path_style=True)
    store = S3Store(boto3.client("s3", config=config, **arguments), bucket, part_size=24 << 20)
else:
    store = B2Store(**arguments) if kind == "b2" else LocalStore(folder / "objects", "bucket")
peaks = []
for name in ("small", "big"):
    upload_once(store, name, folder / name, {"state": "WV"})
    store.get(name, folder / f"{name}-back")
    # Not ru_maxrss: a child inherits its parent's peak there.
    status = Path("/proc/self/status").read_text()
    peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
print(peaks[1] - peaks[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "b2", "s3"])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_file_needs_no_more_memory_than_a_small_one(
    kind: str, b2: B2Server, s3: S3Server, tmp_path: Path
):
    b2.part_size = 24 * MIB
    (tmp_path / "small").write_bytes(b"x" * 64)
    with (tmp_path / "big").open("wb") as file:
        file.truncate(96 * MIB)
    arguments = {
        "local": {},
        "b2": {
            "key_id": b2.key_id,
            "application_key": b2.application_key,
            "bucket": b2.bucket,
            "realm": b2.realm,
        },
        "s3": {
            "bucket": s3.bucket,
            "endpoint_url": s3.endpoint_url,
            "region_name": "us-east-1",
            "aws_access_key_id": s3.access_key,
            "aws_secret_access_key": s3.secret_key,
        },
    }[kind]
    command = [sys.executable, "-c", TRANSFER, kind, json.dumps(arguments), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout) * 1024
    print(f"{kind}: {grown / MIB:.1f} MiB more for 96 MiB")
    assert grown < 24 * MIB
    assert (tmp_path / "big-back").stat().st_size == 96 * MIB
