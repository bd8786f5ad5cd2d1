#!/usr/bin/env python3
"""The origin of the benchmarks: answers of a size asked for, cacheable or not, at once or late, and counts.

usage: origin.py PORT
  /<any>?size=N&delay_ms=N&cacheable=0|1   a body of N bytes after so many milliseconds
  /-/count?path=<any>                      how often that path was asked for
"""

import asyncio
import collections
import sys
import urllib.parse

counts = collections.Counter()


async def respond(target):
    url = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(url.query))
    if url.path == "/-/count":
        return str(counts[query["path"]]).encode(), "no-store"
    counts[url.path] += 1
    await asyncio.sleep(int(query.get("delay_ms", 0)) / 1000)
    policy = "max-age=3600" if query.get("cacheable", "1") == "1" else "private, no-store"
    return b"x" * int(query.get("size", 1024)), policy


async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            body, policy = await respond(head.split(b" ", 2)[1].decode("latin-1"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: %s\r\nContent-Length: %d\r\n\r\n"
                         % (policy.encode(), len(body)) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
