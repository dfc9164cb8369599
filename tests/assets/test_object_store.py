"""A whole run whose lake lies in an object store: the same datasets, and a second run that asks nothing."""

from pathlib import Path

import pytest

from tests.assets.conftest import BOUNDS, RELEASE, Home, tree
from tests.commands import done, mlm

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_a_lake_in_an_s3_bucket_gives_the_same_datasets(finished: Home, tmp_path: Path) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        address = f"http://127.0.0.1:{port}"
        access = {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
        import s3fs

        bucket = s3fs.S3FileSystem(endpoint_url=address, key="t", secret="t")
        bucket.mkdir("mlm")
        home, world = tmp_path / "home", ("--endpoint", finished.base, "--release", RELEASE, "--shards", "1", *BOUNDS)
        settings = {**access, "AWS_ENDPOINT_URL": address, "MLM_LAKE_URL": "s3://mlm/lake"}
        done("run", "--home", home, *world, **settings)
        again = mlm("run", "--home", home, *world, **settings)
        assert "15 of 15 steps were up to date already" in again.stdout, again.stderr
        bucket.get("mlm/lake/datasets", str(tmp_path / "datasets"), recursive=True)
        assert tree(tmp_path / "datasets") == tree(finished.path / "datasets")
        assert not (home / "tables").exists()
    finally:
        server.stop()
