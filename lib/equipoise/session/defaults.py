"""What a session that starts here is set to, below the user's own settings.

`conf/spark/local/spark-defaults.conf` says the same to spark-submit, with reasons; a test keeps them alike.
"""

DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"

DELTA = {
    "spark.sql.extensions": DELTA_EXTENSION,
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

LOCAL = {
    "spark.master": "local[*,4]",
    "spark.driver.memory": "6g",
    "spark.driver.maxResultSize": "2g",
    "spark.driver.host": "localhost",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.python.unix.domain.socket.enabled": "true",
    "spark.python.daemon.module": "equipoise.session.daemon",
    "spark.sql.session.timeZone": "UTC",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}

# Read before any of our code runs, where spark-submit made the JVM.
LAUNCH = (
    "spark.master",
    "spark.submit.",
    "spark.jars",
    "spark.driver.memory",
    "spark.driver.extra",
    "spark.driver.defaultJavaOptions",
)

# The flags of spark-submit that have a name of their own; every other key takes --conf.
FLAGS = {
    "spark.master": "--master",
    "spark.submit.deployMode": "--deploy-mode",
    "spark.driver.memory": "--driver-memory",
    "spark.driver.cores": "--driver-cores",
    "spark.executor.memory": "--executor-memory",
    "spark.executor.cores": "--executor-cores",
    "spark.executor.instances": "--num-executors",
    "spark.jars": "--jars",
    "spark.jars.packages": "--packages",
}

# Keys whose value is a list that others add to.
LISTS = ("spark.jars", "spark.jars.packages", "spark.sql.extensions")
