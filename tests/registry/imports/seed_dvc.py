"""Fill a folder by the real dvc: a file, a folder, a stage of two outputs, `artifacts:`, tags of GTO. Run it in an empty one.

`dvc-3.tar.xz` holds what it wrote, cache and all. dvc stands on the path.
"""

import subprocess
from pathlib import Path

PIPELINE = """stages:
  train:
    cmd: cp raw/a.csv model.bin && cp params.yaml report.json
    deps: [raw, train.py]
    params: [lr]
    outs:
      - model.bin
      - report.json:
          cache: false
artifacts:
  churn-model:
    path: model.bin
    type: model
    desc: predicts churn
    labels: [nlp]
  gone:
    path: nowhere.bin
"""


def run(*words: str) -> None:
    """Run a command."""
    subprocess.run(words, check=True)


def main() -> None:
    """Fill the folder."""
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    Path("raw/deep").mkdir(parents=True)
    Path("raw/a.csv").write_text("1,2\n")
    Path("raw/deep/b.csv").write_text("3,4\n")
    Path("table.csv").write_text("a,b\n")
    run("dvc", "add", "-q", "raw", "table.csv")
    Path("train.py").write_text("print('train')\n")
    Path("params.yaml").write_text("lr: 0.1\n")
    Path("dvc.yaml").write_text(PIPELINE)
    run("dvc", "repro", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "first")
    for tag in ("churn-model@v1.2.0", "churn-model#prod#1"):
        run("git", "tag", tag)
    run("git", "pack-refs", "--all")


if __name__ == "__main__":
    main()
