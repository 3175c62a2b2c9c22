"""dagster-aws's S3Resource with the client settings that our store needs.

The base builds its client without room for a botocore Config; as it is, it sends checksums that
other makes of S3 refuse.
"""

from typing import Any

from boto3.session import Session  # noqa: TID253 - imported only where S3 is configured
from dagster_aws.s3 import S3Resource

from outreach_platform.foundation.objects.s3 import client_config


class SnapshotS3Resource(S3Resource):
    """S3 or a server that speaks it."""

    def get_client(self) -> Any:
        """A boto3 S3 client; what is not set here comes from the AWS_ variables and profiles."""
        return Session(profile_name=self.profile_name).client(
            "s3",
            region_name=self.region_name,
            use_ssl=self.use_ssl,
            verify=self.verify,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            config=client_config(path_style=bool(self.endpoint_url)),
        )
