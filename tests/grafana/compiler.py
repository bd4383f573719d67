"""The TypeScript compiler, let loose on dashboards.

What is in the JSON of a dashboard is an expression of TypeScript too, so that the
compiler says where it is not of the type in ``dashboard.ts``.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.npm import npm_package

LONGEST_S = 200.0

_TYPES = Path(__file__).with_name("dashboard.ts")


def complaints(folder: Path, texts: Mapping[str, str]) -> str:
    """Return what the compiler says of dashboards; empty if all is well.

    Args:
        folder: an empty directory to work in.
        texts: the JSON of each, by a name that may be one of a file.
    """
    schema = npm_package("@grafana/schema")
    shutil.copy(_TYPES, folder)
    for name, text in texts.items():
        source = (
            "import type { Dashboard } from './dashboard';\n"
            f"export const dashboard: Dashboard = {text.strip()};\n"
        )
        (folder / f"{name}.ts").write_text(source, encoding="utf-8")
    configuration = {
        "compilerOptions": {
            "strict": True,
            "noEmit": True,
            # Only what is ours is to be judged.
            "skipLibCheck": True,
            "target": "es2022",
            "module": "esnext",
            "moduleResolution": "bundler",
            "types": [],
            "paths": {
                "@grafana/schema": [str(schema / "dist" / "esm" / "index.d.ts")],
                "@grafana/schema/*": [f"{schema}/*"],
            },
        },
        "include": ["*.ts"],
    }
    (folder / "tsconfig.json").write_text(json.dumps(configuration), encoding="utf-8")
    done = subprocess.run(
        [
            *("node", npm_package("typescript") / "lib" / "tsc.js"),
            *("--pretty", "false", "--project", folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    return done.stdout + done.stderr
