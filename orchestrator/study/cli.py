"""`i2i-cluster study`: ask people which of two pictures is the fake, and read what they answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import Output, OutputOption, named_path

app = typer.Typer(
    help="Ask people which of two pictures is the fake: one page to send, and what their answers come to.",
    no_args_is_help=True,
)


@app.command(
    epilog="Examples: i2i-cluster study make --real truths --fake outputs --paired; "
    "i2i-cluster study make --real photos --fake outputs --size 256 --pictures 100 --out cyclegan.html --name cyclegan"
)
def make(
    real: Annotated[Path, typer.Option("--real", metavar="DIR", parser=named_path, help="Folder of real pictures.")],
    fake: Annotated[
        Path,
        typer.Option(
            "--fake", metavar="DIR", parser=named_path, help="Folder of pictures that somebody's network made."
        ),
    ],
    paired: Annotated[
        bool, typer.Option("--paired", help="The two pictures of a trial have the same name; else any two.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.html", parser=named_path, help="The page to write.")
    ] = Path("study.html"),
    practice: Annotated[
        int, typer.Option(min=0, max=1000, help="Trials to begin with, whose answer is told; they do not count.")
    ] = 10,
    scored: Annotated[int, typer.Option(min=1, max=1000, help="Trials that count, without a word.")] = 40,
    exposure: Annotated[str, typer.Option(metavar="TIME", help="How long each picture is seen: 1s, 250ms.")] = "1s",
    pictures: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="At most so many of each folder.", show_default="one for each trial"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", min=16, max=2048, help="Bring pictures to N x N pixels: the middle square, bicubic."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which pictures, where there are more than needed.")] = 0,
    title: Annotated[str, typer.Option(help="What participants read at the top.")] = "Real or fake?",
    name: Annotated[
        str | None, typer.Option(help="What `study show` calls it, such as the method.", show_default="--fake's name")
    ] = None,
) -> None:
    """Write a study as one page: it opens anywhere, asks nothing of any network, and hands its participant a CSV.

    After the perceptual study of pix2pix (Isola et al. 2017, 4.2): a real and a fake picture one after the other, in random order,
    each for a second; then, in one's own time, which one was fake.
    """
    from orchestrator.study.making import Wanted, make_study

    make_study(
        Wanted(
            real,
            fake,
            out,
            paired,
            practice,
            scored,
            exposure,
            pictures,
            size,
            seed,
            title,
            name,
        )
    )


@app.command(
    epilog="Examples: i2i-cluster study show answers/*.csv; i2i-cluster study show *.csv --study 1f0c2d3e4a5b --leave-out k7m2q9xd"
)
def show(
    files: Annotated[
        list[Path], typer.Argument(metavar="ANSWERS.CSV", help="Participants' files, each its own or joined.")
    ],
    output: OutputOption = Output.table,
    resamples: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Draws of the bootstrap behind the intervals.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", metavar="CODE", help="Without this participant; may be repeated.")
    ] = None,
    study: Annotated[
        str | None, typer.Option(metavar="ID", help="Refuse rows of any other study.", show_default="any")
    ] = None,
    fastest: Annotated[
        str, typer.Option(metavar="TIME", help="Flag who takes less for an answer, in the median.")
    ] = "150ms",
) -> None:
    """Show how often fakes were taken for real: of each participant and in all, with a bootstrap interval; a row for each study.

    Practice is left out. Who always answers the same, or too fast, is flagged and stays in, unless --leave-out names the code.
    """
    from orchestrator.study.answers import read_answers
    from orchestrator.study.fooled import Asked, judge
    from orchestrator.study.times import read_ms
    from orchestrator.study.view import print_study
    from orchestrator.tables import console, print_json

    asked = Asked(resamples, seed, tuple(leave_out or ()), read_ms(fastest, "--fastest", 1, 10_000))
    found = judge(read_answers(files, study), asked)
    if output is Output.json:
        print_json(found)
    else:
        print_study(found, console())
