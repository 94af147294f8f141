"""Processes that all ask for credentials at the same moment, each for the first time: `crowd.py
ENDPOINT COUNT`. Each says the key that it has.
"""

import os
import sys

import boto3

count = int(sys.argv[2])
reader, writer = os.pipe()
children = []
for _ in range(count):
    child = os.fork()
    if not child:
        os.close(writer)
        # Until the parent lets all of them go.
        os.read(reader, 1)
        key = boto3.Session().get_credentials().get_frozen_credentials().access_key
        os.write(1, f"{key}\n".encode())
        os._exit(0)
    children.append(child)
os.close(writer)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
raise SystemExit(max(codes))
