"""An object against what was confirmed of it, in every store."""

from collections.abc import Callable

import pytest

from outreach_platform.foundation.errors import StoreError
from outreach_platform.foundation.objects.comparison import object_problem
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform_tests.foundation.objects.conftest import METADATA, Case, Sample
from outreach_platform_tests.support.s3_server import S3Server

KEY = "outreach/WV/people/bad/people_bad_20250101020304.parquet"
MakeFile = Callable[..., Sample]


@pytest.mark.slow
def test_the_object_that_was_confirmed_is_no_problem_and_any_other_is_one(
    case: Case, make_file: MakeFile
) -> None:
    sent, longer, same_size = make_file(b"rows"), make_file(b"more rows"), make_file(b"ROWS")
    said = object_problem(case.store, KEY, sent.sha256, 4)
    assert said == f"{KEY} is gone from the object store"
    case.store.put(KEY, sent.path, METADATA, sha256=sent.sha256)
    assert object_problem(case.store, KEY, sent.sha256, 4) is None
    assert object_problem(case.store, KEY, sent.sha256, None) is None
    assert "4 bytes, 9 were confirmed" in str(object_problem(case.store, KEY, longer.sha256, 9))
    assert "checksum is another" in str(object_problem(case.store, KEY, same_size.sha256, 4))


@pytest.mark.slow
def test_an_object_without_a_checksum_is_a_problem_though_its_size_is_right(
    s3: S3Server, make_file: MakeFile
) -> None:
    sent, store = make_file(b"rows"), S3Store(s3.client, s3.bucket)
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"rows")
    assert "carries no checksum" in str(object_problem(store, KEY, sent.sha256, 4))


@pytest.mark.slow
def test_a_store_that_cannot_be_asked_is_no_answer(s3: S3Server) -> None:
    with pytest.raises(StoreError):
        object_problem(S3Store(s3.client, "no-such-bucket"), KEY, "0" * 64, 4)
