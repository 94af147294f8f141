"""Java's clients, through py4j, so that nothing has to be compiled: the SDK's default chain,
old (the bundle in SageMaker's Spark jars) and newer, and Hadoop's S3A with its own list.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

JARS = Path("/opt/java")
BUCKET = "bucket"


def jars(name: str) -> list[Path]:
    """The newer SDK shadows the old one's classes where it comes first."""
    bundle = sorted(JARS.glob("aws-java-sdk-bundle-*.jar"))
    newer = [jar for jar in JARS.glob("aws-java-sdk-*.jar") if jar not in bundle]
    rest = [jar for jar in JARS.glob("*.jar") if not jar.name.startswith("aws-java-sdk-")]
    return [*bundle, *rest] if name != "java" else [*newer, *bundle, *rest]


@contextlib.contextmanager
def reader(endpoint: str, name: str) -> Iterator[Callable[[], object]]:
    from py4j.java_gateway import GatewayParameters, JavaGateway
    from py4j.protocol import Py4JJavaError

    classpath = ":".join(map(str, jars(name)))
    server = subprocess.Popen(
        ["java", "-cp", classpath, "py4j.GatewayServer", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout
        port = int(server.stdout.readline())
        gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=True))
        yield (hadoop if name == "java-s3a" else sdk)(gateway.jvm, endpoint, name)
    except Py4JJavaError as error:
        # Only while the server is there can it say what it was.
        raise SystemExit(str(error)[:1500]) from None
    finally:
        server.kill()
        server.wait()


def sdk(jvm: object, endpoint: str, name: str) -> Callable[[], object]:
    aws = jvm.com.amazonaws
    where = aws.client.builder.AwsClientBuilder.EndpointConfiguration(endpoint, "eu-west-1")
    builder = aws.services.s3.AmazonS3ClientBuilder.standard()
    client = builder.withEndpointConfiguration(where).withPathStyleAccessEnabled(True).build()
    return lambda: client.getObjectAsString(BUCKET, f"{name}.csv")


def hadoop(jvm: object, endpoint: str, name: str) -> Callable[[], object]:
    settings = jvm.org.apache.hadoop.conf.Configuration()
    settings.set("fs.s3a.endpoint", endpoint)
    settings.set("fs.s3a.endpoint.region", "eu-west-1")
    settings.set("fs.s3a.path.style.access", "true")
    settings.set("fs.s3a.attempts.maximum", "1")
    settings.set("fs.s3a.bucket.probe", "0")
    path = jvm.org.apache.hadoop.fs.Path(f"s3a://{BUCKET}/{name}.csv")
    system = path.getFileSystem(settings)

    def read() -> None:
        stream = system.open(path)
        stream.read()
        stream.close()

    return read
