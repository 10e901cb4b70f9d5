"""`python -m crossfade_cli`: the `crossfade` command, where its script is not on the PATH."""

from crossfade_cli.app import main

main()
