"""The least that any client must do, without a library's comfort: what is left to gain. Standard library only."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import http.client
import json
import zlib
from itertools import islice
from urllib.parse import urlsplit

from bench.window import Job, Window, main

HEADERS = {"x-amz-target": "DynamoDB_20120810.Scan", "content-type": "application/x-amz-json-1.0"}


def gunzip_join_sign(job: Job, window: Window) -> int:
    """Lines into request bodies, each hashed and signed with a kept key; nothing is sent, parsed or checked."""
    count = 0
    with window:
        for path in job.files:
            with gzip.open(path) as file:
                while batch := list(islice(file, 25)):
                    body = b'{"RequestItems":{"bench":[{"PutRequest":' + b'},{"PutRequest":'.join(batch) + b"}]}}"
                    hmac.digest(b"key", hashlib.sha256(body).hexdigest().encode(), "sha256")
                    count += len(batch)
    return count


def receive_crc(job: Job, window: Window) -> int:
    """Pages received whole and their CRC-32 compared; not parsed but for the key at the end."""
    address = urlsplit(job.endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    request, count = b'{"TableName":"bench"}', 0
    with window:
        while True:
            connection.request("POST", "/", request, HEADERS)
            response = connection.getresponse()
            body = response.read()
            if zlib.crc32(body) != int(response.headers["x-amz-crc32"]):
                raise RuntimeError("CRC-32 differs")
            count += int(body[9 : body.index(b",")])
            _, found, key = body[-400:].rpartition(b',"LastEvaluatedKey":')
            if not found:
                break
            request = json.dumps({"TableName": "bench", "ExclusiveStartKey": json.loads(key[:-1])}).encode()
    return count


def null_load(job: Job, window: Window) -> int:
    """One ready request over and over: how fast the server can be asked from one connection."""
    address = urlsplit(job.endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    with gzip.open(job.files[0]) as file:
        batch = list(islice(file, 25))
    body = b'{"RequestItems":{"bench":[{"PutRequest":' + b'},{"PutRequest":'.join(batch) + b"}]}}"
    headers = {**HEADERS, "x-amz-target": "DynamoDB_20120810.BatchWriteItem"}
    count = 0
    with window:
        while count < job.items:
            connection.request("POST", "/", body, headers)
            connection.getresponse().read()
            count += len(batch)
    return count


CASES = {"gunzip_join_sign": gunzip_join_sign, "receive_crc": receive_crc, "null_load": null_load}

if __name__ == "__main__":
    main(CASES)
