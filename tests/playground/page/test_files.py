"""README's pictures are small, and as new as the page."""

from pathlib import Path

from tests.playground.page.test_looks import NOTE, PICTURES, TAKE, sources_hash

ROOT = Path(__file__).parents[3]
MOST_BYTES = 300_000


def test_readmes_pictures_are_small_and_not_older_than_the_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [each for each in PICTURES.glob("*.png") if f'src="{each.relative_to(ROOT)}"' in readme]
    assert len(shown) == len([*PICTURES.glob("*.png")]) == 2
    assert sum(each.stat().st_size for each in shown) <= MOST_BYTES
    assert NOTE.read_text(encoding="utf-8").strip() == sources_hash(), TAKE
