"""The content of a file by its first bytes: text, also compressed with gzip, or a workbook. Others are named."""

import codecs
import gzip
import io
import itertools
import tempfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from cartctl.errors import CartctlError

UNPACKED_BYTES: Final = 2**31
"""The most bytes that a compressed file may contain: 2 GiB, more than a million products with the longest texts."""

_CHUNK: Final = 2**16
_HEAD: Final = 512
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_UNPACK: Final = "unpack it, and import the file inside"
_EXPORT: Final = "export its data as CSV, JSON Lines or .xlsx"
_KINDS: Final = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an old Excel workbook (.xls), or one with a password",
        "save it in Excel as .xlsx without a password",
    ),
    _GZIP: ("compressed twice with gzip", "unpack it once"),
    b"PK\x05\x06": ("an empty ZIP archive", _EXPORT),
    b"BZh": ("compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\0": ("compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", _UNPACK),
    b"\x04\x22\x4d\x18": ("compressed with lz4", _UNPACK),
    b"\x1f\x9d": ("compressed with compress (.Z)", _UNPACK),
    b"\x5d\0\0": ("compressed with lzma", _UNPACK),
    b"LZIP": ("compressed with lzip", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"%PDF-": ("a PDF document", _EXPORT),
    b"{\\rtf": ("a document in RTF", _EXPORT),
    b"PAR1": ("a Parquet file", _EXPORT),
    b"ARROW1": ("an Arrow file", _EXPORT),
    b"Obj\x01": ("an Avro file", _EXPORT),
    b"SQLite format 3\0": ("a SQLite database", _EXPORT),
    b"\x89PNG": ("an image", _EXPORT),
    b"\xff\xd8\xff": ("an image", _EXPORT),
}
_WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks and their encodings; that of UTF-32 begins with the one of UTF-16."""


class DamagedFileError(CartctlError):
    """A file is damaged, maybe after its first rows: the reason, and what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}.")
        self.reason = reason
        self.advice = advice


class _Stream(io.RawIOBase):
    """A file whose content is an iterator's chunks, none of them empty."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def unpacked(file: BinaryIO) -> tuple[BinaryIO, bytes]:
    """Return a file with the content of another, which may be compressed with gzip, and the first bytes of the content.

    Raises `CartctlError` for a content that is neither text nor a ZIP archive; reading a damaged gzip file raises
    `DamagedFileError`.
    """
    stream, head = _peeked(file)
    if head.startswith(_GZIP):
        stream, head = _peeked(_buffered(_unzipped(stream)))
    for beginning, (kind, advice) in _KINDS.items():
        if head.startswith(beginning):
            raise CartctlError(f"The file is {kind}: {advice}. Nothing was imported.")
    if head[257:262] == b"ustar":
        raise CartctlError(f"The file is a tar archive: {_UNPACK}. Nothing was imported.")
    if head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
        raise CartctlError(f"The file is a page in HTML or XML: {_EXPORT}. Nothing was imported.")
    return stream, head


def parse_encoding(text: str) -> str:
    """Return the name of an encoding. Raises `ValueError` for an unknown one."""
    try:
        "a".encode(text)
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f"{text!r} is not an encoding: pass utf-8, cp1252, utf-16-le or the like") from None
    return codecs.lookup(text).name


def is_archive(head: bytes) -> bool:
    """Return whether a content is a ZIP archive, as every workbook is."""
    return head.startswith(_ZIP)


def seekable_copy(file: BinaryIO) -> BinaryIO:
    """Return a temporary file with the content of another; it is deleted when it is closed."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    for chunk in _bounded(_chunks(file)):
        copy.write(chunk)
    copy.seek(0)
    return copy


def as_ascii(file: BinaryIO, head: bytes, encoding: str | None) -> tuple[BinaryIO, str]:
    """Return a text file and its encoding, which contains ASCII; UTF-16 and the like are converted to UTF-8.

    A byte order mark has precedence over ``encoding``. Raises `CartctlError` for an unknown encoding.
    """
    marked = next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)
    if head.startswith(codecs.BOM_UTF8):
        return file, "utf-8"
    if not marked and not encoding and b"\0" in head[:4]:
        raise CartctlError(
            "The file has NUL characters, as UTF-16 without a byte order mark has: save it as UTF-8, or pass "
            "--encoding utf-16-le. Nothing was imported."
        )
    encoding = marked or encoding or "utf-8"
    if "a\n".encode(encoding) == b"a\n":
        return file, encoding
    return _buffered(_converted(file, encoding)), "utf-8"


def _peeked(file: BinaryIO) -> tuple[BinaryIO, bytes]:
    """Return a file that reads the same, and its first bytes: at least 8, or the whole file."""
    chunks = _chunks(file)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 8:
            break

    def whole() -> Iterator[bytes]:
        if head:
            yield head
        yield from chunks

    return _buffered(whole()), head[:_HEAD]


def _buffered(chunks: Iterator[bytes]) -> BinaryIO:
    return io.BufferedReader(_Stream(chunks), _CHUNK)  # type: ignore[type-var] # a raw file, but for its type


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    # A pipe or a terminal returns what it has, so that rows are imported while others are still written.
    while chunk := file.read1(_CHUNK):  # type: ignore[attr-defined] # of all buffered files
        yield chunk


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > UNPACKED_BYTES:
            raise CartctlError(f"The file has more than {UNPACKED_BYTES:,} bytes when unpacked: split it.")
        yield chunk


def _unzipped(file: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=file) as content:
            yield from _bounded(_chunks(content))  # type: ignore[arg-type] # a buffered file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = "it ends too early" if isinstance(error, EOFError) else str(error)
        raise DamagedFileError(f"The gzip file is damaged ({reason})", "get it again") from error


def _converted(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in itertools.chain(_chunks(file), [b""]):
            if text := decoder.decode(chunk, final=not chunk):
                yield text.encode()
    except UnicodeError as error:
        raise DamagedFileError(
            f"The file is not valid {encoding.upper()} ({error})", "get it again, or save it as UTF-8"
        ) from error
