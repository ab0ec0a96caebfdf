"""Git repositories as tests tell them: any history, of any dates, names and parents."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Story:
    """A repository that is told by `git fast-import`."""

    folder: Path
    said: bytearray = field(default_factory=bytearray)
    marks: int = 0

    def commit(
        self,
        at: int | str,
        files: dict[str, str | None],
        *,
        parents: tuple[int, ...] | None = None,
        who: bytes = b"Ada <ada@example.org>",
        message: bytes = b"Train",
        raw: bytes = b"",
    ) -> int:
        """Add a commit on the last one, or on some; a file that is None goes. Returns its mark."""
        before = (self.marks,) if parents is None and self.marks else parents or ()
        self.marks += 1
        when = f"{at} +0000".encode()
        said = b"commit refs/heads/main\nmark :%d\nauthor %s %s\ncommitter %s %s\n" % (self.marks, who, when, who, when)
        said += b"data %d\n%s\n" % (len(message), message)
        said += b"".join(b"%s :%d\n" % (b"merge" if n else b"from", one) for n, one in enumerate(before))
        for path, text in files.items():
            if text is None:
                said += f"D {path}\n".encode()
            else:
                said += f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n".encode()
        self.said += said + raw + b"\n"
        return self.marks

    def make(self) -> Path:
        """Write the repository."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.folder)], check=True)
        command = [
            "git",
            f"--git-dir={self.folder}",
            "fast-import",
            "--quiet",
            "--force",
            "--date-format=raw-permissive",
        ]
        subprocess.run(command, input=bytes(self.said), check=True)
        return self.folder
