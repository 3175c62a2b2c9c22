"""moto's S3 over HTTP on a free port of 127.0.0.1.

moto keeps its state in this process: two servers at once share their buckets.
"""

import contextlib
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from outreach_platform.foundation.objects.s3 import client_config

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket.

    Attributes:
        endpoint_url: http://127.0.0.1:PORT
        bucket: its name.
        client: a boto3 client with the product's settings.
    """

    endpoint_url: str
    bucket: str
    client: Any
    access_key: str = "AKIATESTTESTTESTTEST"
    secret_key: str = "moto-secret-that-nobody-may-see"

    def new_client(self, access_key: str = "", secret_key: str = "", **options: Any) -> Any:
        """Another boto3 client of this server."""
        config: Config = options.pop("config", None) or client_config(path_style=True)
        return boto3.client(
            options.pop("service", "s3"),
            endpoint_url=options.pop("endpoint_url", self.endpoint_url),
            region_name=REGION,
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=config,
            **options,
        )

    def environment(self) -> dict[str, str]:
        """The environment variables for this server."""
        return {
            "S3_BUCKET": self.bucket,
            "S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }

    def corrupt(self, key: str) -> None:
        """Flip a bit of what is stored, as a failing disk would; metadata stays as it was."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.bucket].keys[key]
        stored.value = bytes([stored.value[0] ^ 1]) + stored.value[1:]

    def user(self, *actions: str) -> tuple[str, str]:
        """An IAM user who may do only these actions; returns access key and secret."""
        iam = self.new_client(service="iam", config=Config())
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    @contextlib.contextmanager
    def access_control(self) -> Iterator[None]:
        """Check signatures and policies inside the block; moto checks nothing otherwise."""
        reset = f"{self.endpoint_url}/moto-api/reset-auth"
        requests.post(reset, data=b"0", timeout=30).raise_for_status()
        try:
            yield
        finally:
            requests.post(reset, data=b"inf", timeout=30).raise_for_status()


@contextlib.contextmanager
def s3_server(bucket: str = "svg-enrichment") -> Iterator[S3Server]:
    """Serve until the block ends, with one empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request otherwise
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint_url = f"http://{host}:{port}"
    try:
        requests.post(f"{endpoint_url}/moto-api/reset", timeout=30).raise_for_status()
        server = S3Server(endpoint_url, bucket, None)
        client = server.new_client()
        client.create_bucket(Bucket=bucket)
        yield S3Server(endpoint_url, bucket, client)
    finally:
        moto.stop()
