"""What the endpoint says once it knows: `said.py ENDPOINT [TIMES]`, a line of JSON each time."""

import os
import sys
import urllib.error
import urllib.request

uri = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
times = int(sys.argv[2]) if len(sys.argv) > 2 else 1
while times:
    request = urllib.request.Request(uri, headers={"Authorization": token})
    try:
        answer = urllib.request.urlopen(request, timeout=120).read().decode()
    except urllib.error.HTTPError as error:
        answer = error.read().decode()
    if "CredentialsNotReady" not in answer:
        print(answer, flush=True)
        times -= 1
