"""Names an executor may not use, by what they do. A name stands for itself and for everything below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Rule:
    """Effect of a name, and the alternative to it."""

    does: str
    instead: str


FILES: Final = Rule("reads or writes files", "declare the file as an artifact and read it in open()")
NETWORK: Final = Rule("talks to another system", "declare the fact as an Enrichment and let a lookup answer it")
CLOCK: Final = Rule("reads the clock", "take the time from a field of the event")
ZONE: Final = Rule("depends on the machine's time zone", "name the zone: ZoneInfo('…') or UTC")
RANDOM: Final = Rule("is random", "derive it from a field of the event, or seed it: random.Random(seed)")
MACHINE: Final = Rule("depends on the machine or its environment", "make it an option of the executor")
HASH: Final = Rule("differs from process to process", "hashlib, over the encoded value")
THREADS: Final = Rule("starts threads or processes", "leave concurrency to the engine")
ENGINE: Final = Rule("belongs to the engine", "an executor imports `trivium` and nothing below it")
HIDDEN: Final = Rule("hides what it runs from the plan's hashes", "import it by name")
STATE: Final = Rule("keeps state between events", "make it a local variable, or load it once in open()")

# The import alone is a finding: these libraries have no pure use.
LIBRARIES: Final[dict[Rule, str]] = {
    NETWORK: (
        "socket socketserver ssl http.client http.server urllib.request ftplib smtplib imaplib poplib telnetlib "
        "xmlrpc.client requests httpx urllib3 aiohttp websocket websockets grpc paramiko boto3 botocore aiobotocore "
        "google.cloud azure redis pymongo psycopg psycopg2 asyncpg MySQLdb mysql pymysql sqlalchemy sqlite3 cassandra "
        "elasticsearch opensearchpy kafka confluent_kafka aiokafka pika nats snowflake ldap3 openai anthropic "
        "huggingface_hub deltalake"
    ),
    FILES: "shutil tempfile glob fileinput shelve dbm s3fs gcsfs fsspec",
    THREADS: "subprocess multiprocessing concurrent.futures asyncio _thread",
    RANDOM: "secrets",
    ENGINE: (
        "ray trivium.cli trivium.config trivium.connectors trivium.delivery trivium.engine trivium.operations "
        "trivium.runtimes trivium.testing"
    ),
}
_USES: Final[dict[Rule, str]] = {
    ENGINE: "trivium.run",
    FILES: (
        "builtins.open builtins.input io.open io.FileIO codecs.open os.open os.read os.write os.listdir os.scandir "
        "os.walk os.stat os.remove os.unlink os.rename os.replace os.mkdir os.makedirs os.rmdir os.path.exists "
        "os.path.isfile os.path.isdir os.path.getsize os.path.getmtime os.path.realpath linecache mmap gzip.open "
        "bz2.open lzma.open zipfile.ZipFile tarfile.open pandas.read_csv pandas.read_parquet pandas.read_json "
        "pandas.read_excel pandas.read_pickle pandas.read_sql polars.read_csv polars.read_parquet polars.read_json "
        "polars.scan_csv polars.scan_parquet pyarrow.parquet pyarrow.dataset pyarrow.fs pyarrow.feather pyarrow.csv "
        "pyarrow.memory_map pyarrow.OSFile pyarrow.input_stream numpy.load numpy.loadtxt numpy.genfromtxt "
        "numpy.fromfile numpy.memmap numpy.save joblib.load torch.load"
    ),
    CLOCK: (
        "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
        "time.process_time time.thread_time time.gmtime time.ctime time.asctime time.sleep datetime.datetime.now "
        "datetime.datetime.utcnow datetime.datetime.today datetime.date.today pandas.Timestamp.now "
        "pandas.Timestamp.utcnow pandas.Timestamp.today"
    ),
    ZONE: "time.localtime time.mktime time.strftime time.tzname time.timezone time.altzone time.daylight",
    RANDOM: "random uuid.uuid1 uuid.uuid4 os.urandom os.getrandom numpy.random",
    MACHINE: (
        "os.environ os.environb os.getenv os.putenv os.getpid os.getppid os.getcwd os.getlogin os.getuid os.uname "
        "os.cpu_count os.path.expanduser os.path.expandvars pathlib.Path.cwd pathlib.Path.home platform getpass locale "
        "sys.argv sys.platform sys.executable sys.path sys.stdin"
    ),
    HASH: "builtins.hash builtins.id",
    THREADS: "threading.Thread threading.Timer os.fork os.system os.popen os.spawnv os.execv os.kill signal",
    HIDDEN: "builtins.exec builtins.eval builtins.__import__ importlib.import_module importlib.reload",
}
METHODS: Final = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob", "unlink", "touch", "is_file"}
)
MUTATORS: Final = frozenset(
    {"append", "add", "update", "pop", "popitem", "clear", "extend", "insert", "remove", "discard", "setdefault"}
)
# Pure when they are told what else they would take from the machine.
SEEDED: Final = frozenset(
    {"random.Random", *(f"numpy.random.{name}" for name in ("default_rng", "SeedSequence", "RandomState", "Generator"))}
)
FROM_TIMESTAMP: Final = "datetime.datetime.fromtimestamp"
IMPORTERS: Final = ("builtins.__import__", "importlib.import_module")

_LIBRARY_RULES: Final = {name: rule for rule, names in LIBRARIES.items() for name in names.split()}
_RULES: Final = {**_LIBRARY_RULES, **{name: rule for rule, names in _USES.items() for name in names.split()}}


def rule_of(name: str) -> Rule | None:
    """Return the rule a dotted name falls under, by its longest known beginning."""
    return _longest(name, _RULES)


def library_of(name: str) -> Rule | None:
    """Return the rule that forbids importing `name` at all."""
    return _longest(name, _LIBRARY_RULES)


def _longest(name: str, rules: dict[str, Rule]) -> Rule | None:
    while name:
        if name in rules:
            return rules[name]
        name = name.rpartition(".")[0]
    return None
