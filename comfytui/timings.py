"""How long the program waits for what: passed to whatever waits, and fixed while it runs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTimings:
    """Seconds for an HTTP request."""

    connect: float = 5.0
    get_read: float = 10.0
    """Without a byte of the response to a GET, which can be repeated: the connection may be half-open."""
    post_read: float = 30.0
    """Without a byte of the response to a POST: a server that loads a model answers late."""
    upload: float = 300.0
    """Without a byte of an upload taken, or of the response to it: what waits in buffers on the way is sent first, and
    those of a forwarded port hold megabytes that a slow link carries for minutes."""
    total: float = 300.0
    """For a whole response that is not a file: one that trickles must not block its caller for ever."""
    keepalive: float = 5.0
    """For which an idle connection is kept for the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketTimings:
    """Seconds in the life of a websocket."""

    open: float = 10.0
    """For connecting, from the first packet to the end of the handshake."""
    first_delay: float = 0.5
    """Before the second attempt to connect; doubled after each connection that was not stable, with full jitter."""
    longest_delay: float = 30.0
    """Between two attempts to connect."""
    stable_after: float = 5.0
    """After which a connection that received frames is stable: a server may greet each one and close it."""
    ping_interval: float = 3.0
    """Of silence before a ping; some proxies close connections that are idle for 5 s."""
    ping_timeout: float = 8.0
    """For the pong to that ping."""
    last_ping_timeout: float = 1.0
    """For the pong to a last ping before a connection is closed."""
    alive_timeout: float = 3.0
    """For the pong that says whether an open connection is alive."""
    close: float = 0.5
    """For the closing handshake: a server that keeps sending would delay the end of the program."""
    lag_ping_pause: float = 2.0
    """Between a pong and the next ping while frames are received, to measure how late they are."""
    lag_report_interval: float = 1.0
    """Between two reports of the lag while a ping is not answered."""
    lag_idle_after: float = 10.0
    """Without a frame after which the lag is no longer measured, since nothing is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTimings:
    """Seconds between polls over HTTP."""

    confirm_pause: float = 0.5
    """While the end of a job of mine is not known: the history is written just after the last frame."""
    rest_factor: float = 5
    """A poll that took t seconds is followed by a rest of this many t: a huge queue is not read without a break."""
    max_rest: float = 5.0
    """Longest rest: over a slow link every poll takes long, and what ends meanwhile is to be seen all the same."""
    live_busy: float = 15.0
    """Between polls that nobody requested while a socket is open, with open jobs."""
    live_idle: float = 60.0
    """The same without open jobs."""
    poll_busy: float = 1.0
    """Between polls where no socket reports what happens, with open jobs."""
    poll_idle: float = 5.0
    """The same without open jobs."""
    other_server_pause: float = 30.0
    """Between polls that find out whether the known server is back."""
    stats_busy: float = 2.0
    """Between two readings of the system statistics while something runs."""
    stats_idle: float = 10.0
    """The same while nothing runs."""
    watchdog_interval: float = 1.0
    """Between two checks for a run whose frames do not arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTimings:
    """Seconds that a connection waits for the server."""

    ready: float = 2.0
    """For which a prompt waits until the server is ready, before it says what it waits for."""
    verify: float = 2.0
    """For which a socket with many unverified frames is not read: a client that does not read holds up all others."""
    busy_probe: float = 7.0
    """To find out whether a server that answers no ping is busy: a little more than a connect may take."""
    given_up_pause: float = 60.0
    """Until a socket that was given up is tried again, if the server answers otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionTimings:
    """Seconds in which a prompt is sent."""

    arrival: float = 30.0
    """In which a POST whose answer was lost may still enter the queue: validating a large graph takes time."""
    retry_pause: float = 2.0
    """Between polls for an unconfirmed submission, and between retries while the server is down."""
    second_look: float = 0.5
    """Between the two polls for a submission that should have arrived long ago."""
    last_answer: float = 0.5
    """For the answer to a POST that is under way when the service stops."""
    log: float = 1.0
    """For which a POST waits for the server's log: some proxies never answer for it."""
    search: float = 30.0
    """For a search for the images of a prompt while others wait to be sent; one by hand has no limit."""
    image_head: float = 10.0
    """For the head of one image of such a search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimings:
    """Seconds after which the state says that something is late."""

    late_after: float = 2.0
    """By which frames must be late before the delay is reported."""
    min_stall: float = 10.0
    """Without a step that never count as a stall."""
    load_stall: float = 60.0
    """That a model may take to load without a frame."""
    memory_still: float = 20.0
    """Without a change after which a memory counts as still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTimings:
    """Seconds that the journal waits."""

    group: float = 0.02
    """That a write waits for others to share its transaction, since each transaction waits for the disk."""
    close: float = 1.0
    """For the disk when it is closed."""
    busy: float = 5.0
    """That a write waits for the write of another process."""
    lock: float = 5.0
    """For the folder's lock: its holder may have been stopped while it held it (ctrl+z)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTimings:
    """Seconds that the prompt form waits."""

    draft_delay: float = 1.0
    """From an edit to the writing of the draft."""
    disk: float = 1.0
    """For the draft when the program ends; a disk takes milliseconds, or hangs."""
    choices: float = 5.0
    """For the choices of a server that answers; then a batch is submitted without them."""
    completions: float = 2.0
    """Before names that a prompt completes are looked at again: the user's files, or a server that did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTimings:
    """Seconds that the program waits when it starts and ends."""

    probe: float = 3.0
    """For each server that may be the one to open; the terminal shows nothing meanwhile."""
    stop: float = 1.2
    """For the service, in all: a DNS lookup cannot be interrupted, and the screen needs time to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTimings:
    """Seconds that the relay waits for its server and its clients."""

    login: float = 60.0
    """Before a server that refused the login is tried again."""
    known: float = 10.0
    """For a job or a batch, while it is not known what the server has."""
    ping: float = 15.0
    """Between two comments in a stream, which keep proxies from closing it."""
    send: float = 30.0
    """For a client of a stream that does not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Every interval and time limit that depends on how fast servers, networks and disks are."""

    http: HttpTimings = field(default_factory=HttpTimings)
    socket: SocketTimings = field(default_factory=SocketTimings)
    poll: PollTimings = field(default_factory=PollTimings)
    connection: ConnectionTimings = field(default_factory=ConnectionTimings)
    submission: SubmissionTimings = field(default_factory=SubmissionTimings)
    session: SessionTimings = field(default_factory=SessionTimings)
    journal: JournalTimings = field(default_factory=JournalTimings)
    form: FormTimings = field(default_factory=FormTimings)
    program: ProgramTimings = field(default_factory=ProgramTimings)
    relay: RelayTimings = field(default_factory=RelayTimings)


DEFAULT = Timings()
"""The timings of the program."""
