#!/bin/sh
# Installs the clients that an identity is proved with below a directory, from PyPI and npm.
#
#   setup.sh DIRECTORY
set -eu

here=$(cd "$(dirname "$0")" && pwd)
directory=$1
python=$directory/python/bin/python
spark=pyspark==3.3.1
sagemaker_spark=sagemaker_pyspark==1.4.5

mkdir -p "$directory"
[ -x "$python" ] || python3 -m venv "$directory/python"
"$python" -m pip install --quiet -r "$here/requirements.txt"
# It wants another botocore than s3fs does.
[ -x "$directory/cli/bin/aws" ] || {
    python3 -m venv "$directory/cli"
    "$directory/cli/bin/python" -m pip install --quiet awscli==1.46.3
}

if ! [ -d "$directory/javascript/node_modules/@aws-sdk/client-s3" ]; then
    npm install --silent --no-fund --no-audit --prefix "$directory/javascript" @aws-sdk/client-s3@3.901.0
fi

# Java's SDK, in two versions, and Hadoop's S3A lie within two packages; nothing else of those
# is of use here, nor are the packages that they want.
if ! [ -d "$directory/java" ]; then
    fetched=$(mktemp -d "$directory/fetched.XXXXXX")
    trap 'rm -rf "$fetched"' EXIT
    "$python" -m pip install --quiet setuptools wheel
    "$python" -m pip download --quiet --no-deps --no-binary :all: --no-build-isolation -d "$fetched" "$spark" "$sagemaker_spark"
    mkdir "$fetched/java"
    # Neither has all of them.
    for archive in "$fetched"/*.tar.gz; do
        tar -xzf "$archive" -C "$fetched/java" --strip-components=3 --wildcards \
            '*/jars/aws-java-sdk-bundle-*' '*/jars/aws-java-sdk-core-*' '*/jars/aws-java-sdk-s3-*' \
            '*/jars/aws-java-sdk-kms-*' '*/jars/hadoop-aws-*' '*/jars/hadoop-client-*' '*/jars/slf4j-api-*' \
            '*/jars/commons-codec-*' '*/jars/commons-lang3-*' '*/jars/commons-logging-*' '*/jars/http*' \
            '*/jars/jackson-annotations-*' '*/jars/jackson-core-2*' '*/jars/jackson-databind-*' \
            '*/jars/joda-time-*' 2>/dev/null || :
    done
    cp "$directory"/python/share/py4j/py4j*.jar "$fetched/java"
    mv "$fetched/java" "$directory/java"
fi
