"""Results on their way into the sessions: in order, and never in the way of what else is to be done."""

import asyncio
import threading

from server.arrivals import Arrivals


async def run(arrivals: Arrivals, until) -> None:
    task = asyncio.create_task(arrivals.run())
    async with asyncio.timeout(10.0):
        await until
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_they_come_in_order_from_another_thread():
    arrivals, came, done = Arrivals(), [], asyncio.Event()

    def put() -> None:
        for number in range(50):
            arrivals.put(lambda number=number: came.append(number))
        arrivals.put(done.set)

    threading.Thread(target=put).start()
    await run(arrivals, done.wait())
    assert came == list(range(50))


async def test_other_work_goes_on_between_any_two():
    arrivals, order, done = Arrivals(), [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def take_in(number: int) -> None:
        order.append(number)
        loop.call_soon(order.append, "other work")

    for number in range(3):
        arrivals.put(lambda number=number: take_in(number))
    arrivals.put(done.set)
    await run(arrivals, done.wait())
    assert [number for number in order if number != "other work"] == [0, 1, 2]
    assert order[1] == order[3] == "other work"


async def test_one_that_fails_is_logged_and_the_next_is_taken_in(caplog):
    arrivals, done = Arrivals(), asyncio.Event()
    arrivals.put(lambda: 1 / 0)
    arrivals.put(done.set)
    await run(arrivals, done.wait())
    assert "a result could not be taken in" in caplog.text


def test_one_that_comes_after_the_end_is_ignored():
    async def make() -> Arrivals:
        return Arrivals()

    asyncio.run(make()).put(lambda: None)
