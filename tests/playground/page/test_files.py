"""The page's files: their size, and README's pictures, which are as new as the page."""

from pathlib import Path

from bot.playground import page
from tests.playground.page.test_looks import NOTE, PICTURES, TAKE, sources_hash

ROOT = Path(__file__).parents[3]
ROOM = Path(page.__file__).parent
MOST_LINES = 1200
MOST_BYTES = 300_000


def test_the_page_and_its_server_stay_small() -> None:
    files = [each for each in ROOM.iterdir() if each.is_file()]
    lines = [len(each.read_text(encoding="utf-8").splitlines()) for each in files]
    assert sum(lines) <= MOST_LINES


def test_readmes_pictures_are_small_and_not_older_than_the_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [each for each in PICTURES.glob("*.png") if f'src="{each.relative_to(ROOT)}"' in readme]
    assert len(shown) == len([*PICTURES.glob("*.png")]) == 2
    assert sum(each.stat().st_size for each in shown) <= MOST_BYTES
    assert NOTE.read_text(encoding="utf-8").strip() == sources_hash(), TAKE
