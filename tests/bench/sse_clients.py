"""Many clients of a relay in one process: `python -m tests.bench.sse_clients PORT CLIENTS BATCH`."""

import asyncio
import json
import re
import sys
import time

STEP = re.compile(rb'"currentStep":(\d+)')


async def follow(port: int, query: str, arrived: dict[int, float]) -> None:
    """Follow a stream until it ends; note when the first event with each step came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/generate/progress%b HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n\r\n" % (query.encode(), port))
    status = await reader.readline()
    if b" 200 " not in status:
        raise ConnectionError(status.decode())
    arrived[0] = time.monotonic()
    async for line in reader:
        if line.startswith(b"data: ") and (step := STEP.search(line)):
            arrived.setdefault(int(step[1]), time.monotonic())
    writer.close()


async def main(port: int, clients: int, batch: str) -> None:
    """Follow until standard input is closed, half of the clients the batch, half everything.

    Prints a line once all are connected, and at the end, as JSON, each client's steps and when they came.
    """
    arrived: list[dict[int, float]] = [{} for _ in range(clients)]
    queries = (f"?batchId={batch}", "")
    tasks = [asyncio.create_task(follow(port, queries[n % 2], each)) for n, each in enumerate(arrived)]
    while not all(arrived):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.05)
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(arrived), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
