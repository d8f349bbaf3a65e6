"""A PDF writer of the tests' own, so that a document can hold a fact that no one else has, and be encrypted or cut."""
import hashlib

# PDF 1.7, section 7.6.3.3: what a password is padded with.
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
PERMISSIONS = -44
FILE_ID = b"lastro-e2e-tests"


def pdf(*pages, password=None):
    """The bytes of a PDF with these texts as its pages; with a password it cannot be read without it."""
    key, encryption = _encryption(password.encode()) if password else (None, None)
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"",
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"]
    kids = []
    for page in pages:
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
                       "/Resources << /Font << /F1 3 0 R >> >> >>".encode())
        stream = _page(page)
        if key:
            stream = _rc4(_object_key(key, number + 1), stream)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    if encryption:
        objects.append(encryption)

    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"/Size %d /Root 1 0 R /ID [<%s> <%s>]" % ((len(objects) + 1,) + (FILE_ID.hex().encode(),) * 2)
    if encryption:
        trailer += b" /Encrypt %d 0 R" % len(objects)
    return bytes(out + b"trailer\n<< %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, xref))


def _page(text):
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        lines.append(f"({escaped}) Tj T*".encode("cp1252"))
    return b"BT /F1 11 Tf 14 TL 60 780 Td\n" + b"\n".join(lines) + b"\nET"


def _encryption(password):
    """The file key and the /Encrypt dictionary of the standard handler, revision 2: RC4 with 40 bits."""
    padded = (password + PADDING)[:32]
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + PERMISSIONS.to_bytes(4, "little", signed=True) + FILE_ID).digest()[:5]
    user = _rc4(key, PADDING)
    return key, b"<< /Filter /Standard /V 1 /R 2 /P %d /O <%s> /U <%s> >>" % (
        PERMISSIONS, owner.hex().encode(), user.hex().encode())


def _object_key(key, number):
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]


def _rc4(key, data):
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
