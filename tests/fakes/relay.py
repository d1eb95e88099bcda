"""A stretch of road between two ends of a link, which can break: bytes pass through it, on Unix sockets or TCP."""
import asyncio
import contextlib
import socket
import threading

THERE, BACK = WAYS = "there", "back"        # what is said to the target, and what it says


def unix_path(address):
    return address.removeprefix("ipc://") if address.startswith("ipc://") else None


def host_and_port(address):
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host, int(port)


class Relay(threading.Thread):
    """Listens at `address` and passes what comes on to `target` and back, both ipc:// or tcp://.

    How a road is bad stands in pass_on(), the one place that all bytes go through. `heard(connection, piece)` is told
    what the target says, `said(connection, piece)` what is said to it, both in the relay's thread.
    """
    PIECE_BYTES = 65536

    def __init__(self, address, target, heard=None, said=None):
        super().__init__(daemon=True)
        self.address, self.target, self.heard, self.said = address, target, heard, said
        self.loop = self.new_loop()
        self.closed_road = False            # new connections are broken at once
        self.writers = set()                # of the connections that stand, both ends of each
        self.n_connections = 0              # that there ever were
        self.listening = threading.Event()
        self.start()
        if not self.listening.wait(10):
            raise OSError(f"{address}: the relay does not listen")

    # what a test does to it, from its own thread
    def cut(self, open_again=True):
        """All connections break; unless `open_again`, new ones too until mend()."""
        self.call(self.cut_now, open_again)

    def stall(self, ways=WAYS):
        """Nothing passes, in these directions, until mend(); the connections stand."""
        self.call(lambda: [self.moving[way].clear() for way in ways])

    def mend(self):
        self.call(self.mend_now)

    def close(self):
        self.cut(open_again=False)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join()

    # its own thread
    def new_loop(self):
        return asyncio.new_event_loop()

    def call(self, do, *arguments):
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (do(*arguments), done.set()))
        if not done.wait(10):
            raise OSError(f"{self.address}: the relay hangs")

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.moving = {way: asyncio.Event() for way in WAYS}
        self.mend_now()
        server = self.loop.run_until_complete(self.listen())
        self.listening.set()
        self.loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    async def listen(self):
        if unix_path(self.address):
            return await asyncio.start_unix_server(self.connected, unix_path(self.address))
        return await asyncio.start_server(self.connected, *host_and_port(self.address), family=socket.AF_INET)

    async def open_target(self):
        if unix_path(self.target):
            return await asyncio.open_unix_connection(unix_path(self.target))
        return await asyncio.open_connection(*host_and_port(self.target))

    def cut_now(self, open_again):
        self.closed_road = not open_again
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def mend_now(self):
        self.closed_road = False
        for moving in self.moving.values():
            moving.set()

    async def connected(self, reader, writer):
        if self.closed_road:
            writer.transport.abort()
            return
        self.writers.add(writer)
        try:
            far_reader, far_writer = await self.open_target()
        except OSError:                     # nobody listens there: as if nobody listened here
            self.drop(writer)
            return
        if writer not in self.writers:      # cut meanwhile
            far_writer.transport.abort()
            return
        self.writers.add(far_writer)
        self.n_connections += 1
        await asyncio.gather(self.pass_all(reader, far_writer, THERE, self.n_connections),
                             self.pass_all(far_reader, writer, BACK, self.n_connections))
        self.drop(writer)
        self.drop(far_writer)

    def drop(self, writer):
        self.writers.discard(writer)
        writer.transport.abort()

    async def pass_all(self, reader, writer, way, number):
        """Until one end has closed: then the other is told so, and may still say what it has to say. `way`: of WAYS;
        `number`: the connection's."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(self.PIECE_BYTES):
                await self.pass_on(piece, writer, way, number)
        self.pass_end(writer)

    @staticmethod
    def pass_end(writer):
        with contextlib.suppress(OSError):  # the other is gone, too
            if not writer.is_closing():
                writer.write_eof()

    async def pass_on(self, piece, writer, way, number):
        await self.moving[way].wait()
        ear = self.said if way == THERE else self.heard
        if ear:
            ear(number, piece)              # first: whoever gets it may have ended before this thread has its next turn
        writer.write(piece)
        try:
            await writer.drain()
        except OSError:                     # it is for nobody, and was heard
            pass
