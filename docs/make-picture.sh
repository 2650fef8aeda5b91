#!/bin/sh
# Makes docs/terminal.svg, the README's picture of a terminal, from real output.
#
#   docs/make-picture.sh                 runs `peakgate demo` and draws its final table
#   docs/make-picture.sh FILE COMMAND    draws text with colour codes from FILE under "$ COMMAND"
#
# Needs python3 (standard library only). PEAKGATE names the binary; default: cargo run.
set -eu
cd "$(dirname "$0")/.."

command=${2:-peakgate demo}
if [ $# -gt 0 ]; then
    text=$1
else
    text=$(mktemp)
    trap 'rm -f "$text"' EXIT
    # The final table goes to stdout, progress to stderr.
    COLUMNS=100 CLICOLOR_FORCE=1 LC_ALL=C.UTF-8 NO_COLOR='' \
        ${PEAKGATE:-cargo run --release --quiet --} demo >"$text"
fi

python3 - "$text" "$command" >docs/terminal.svg.new <<'PYTHON'
import html, re, sys, unicodedata

CELL, LINE, PAD, TOP = 8.4, 19, 18, 44
COLOURS = {"30": "#0d1117", "31": "#ff7b72", "32": "#3fb950", "33": "#d29922", "35": "#d2a8ff", "97": "#ffffff"}
GROUNDS = {"41": "#da3633", "42": "#3fb950", "43": "#d29922", "45": "#8957e5"}
PLAIN, DIM = "#e6edf3", "#8b949e"

def columns(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

def runs(line):
    """(text, colour, ground, bold) for each stretch of one style."""
    colour, ground, bold = PLAIN, None, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b"):
            if part:
                yield part, colour, ground, bold
            continue
        for code in part[2:-1].split(";"):
            if code in ("", "0"):
                colour, ground, bold = PLAIN, None, False
            elif code == "1":
                bold = True
            elif code == "2":
                colour = DIM
            colour = COLOURS.get(code, colour)
            ground = GROUNDS.get(code, ground)

with open(sys.argv[1], encoding="utf-8") as file:
    lines = file.read().rstrip("\n").split("\n")
lines = [f"\x1b[2m$\x1b[0m {sys.argv[2]}", ""] + lines
bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
width = round(max(map(columns, bare)) * CELL + 2 * PAD)
height = TOP + len(lines) * LINE + PAD
out = [
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
    f"<title>{html.escape(sys.argv[2])}: {html.escape(' '.join(bare[2].split()))}</title>",
    "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}.b{font-weight:700}</style>",
    f'<rect width="{width}" height="{height}" rx="9" fill="#0d1117"/>',
]
out += [f'<circle cx="{PAD + i * 20 + 4}" cy="20" r="6" fill="{c}"/>' for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))]
for row, line in enumerate(lines):
    y, x = TOP + row * LINE + 12, PAD
    for text, colour, ground, bold in runs(line):
        n = columns(text)
        if ground:
            out.append(f'<rect x="{x:.1f}" y="{y - 14}" width="{n * CELL:.1f}" height="{LINE}" rx="3" fill="{ground}"/>')
        # The length is given, so that columns stay in line whatever the font.
        lead = n - columns(text.lstrip(" "))
        shown = text.strip(" ")
        if shown:
            out.append(
                f'<text x="{x + lead * CELL:.1f}" y="{y}" textLength="{columns(shown) * CELL:.1f}" lengthAdjust="spacingAndGlyphs" '
                f'xml:space="preserve" fill="{colour}"{" class=" + chr(34) + "b" + chr(34) if bold else ""}>{html.escape(shown)}</text>'
            )
        x += n * CELL
out.append("</svg>")
print("\n".join(out))
PYTHON
mv docs/terminal.svg.new docs/terminal.svg
