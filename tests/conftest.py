"""What all tests share: one Spark session, started by the first test that asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The same examples each time, however slow the machine is: `--hypothesis-profile=default` looks for others.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

SETTINGS = {
    "spark.master": "local[2,4]",
    "spark.driver.memory": "3g",
    # Short runs spend their time compiling: the quick compiler alone starts Spark in two thirds of the time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m",
    "spark.sql.shuffle.partitions": "2",
    # A job for every exchange, to look at sizes of a few rows; who counts jobs switches it on.
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    # For a few dozen rows, compiling a plan takes longer than interpreting it. The jobs that slow tests start compile.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """The session of all tests: two cores, a little heap, its tables in a folder that goes away."""
    from equipoise.session import get_session  # imports pyspark, which the tests of the kernels do without

    warehouse = tmp_path_factory.mktemp("spark-warehouse")
    session = get_session({**SETTINGS, "spark.sql.warehouse.dir": str(warehouse)}, name="equipoise-tests")
    yield session
    session.stop()
