"""Exports a trained run for TensorFlow Serving and other runtimes, or verifies an export.

    python export.py --workdir=runs/bags_shoes --export_dir=exported

`--help` lists the flags. Exit status: 0 when all was exported or verified, 1 on an error that the
message explains.
"""

from absl import app

from discogan_tf import export_command

if __name__ == "__main__":
    export_command.define_flags()
    app.run(export_command.main)
