"""The one lane in which batches run, across replicas: one at a time."""

from sqlalchemy import Connection, and_, bindparam, exists, update
from sqlalchemy.exc import IntegrityError

from bot.ledger.entries import Entry, key_of
from bot.ledger.schema import requests
from bot.ledger.statements import compared
from bot.ledger.writer import Writer

_LANE = "batches"
_r = requests.c


class Lane:
    """Writes who has the lane; it is left when the batch is answered."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        mine = and_(compared(_r.id), compared(_r.fence))
        other = requests.alias()
        taken = exists().where(other.c.lane == _LANE, other.c.id != bindparam("the_id"))
        self._take = update(requests).where(mine, ~taken).values(lane=_LANE)
        self._leave = update(requests).where(mine).values(lane=None)

    async def take(self, batch: Entry) -> bool:
        """Take the lane; False while another batch has it."""

        def work(on: Connection) -> bool:
            try:
                with on.begin_nested():
                    return on.execute(self._take, key_of(batch)).rowcount == 1
            except IntegrityError:  # another replica was faster
                return False

        return await self._writer.run(work)

    async def leave(self, batch: Entry) -> None:
        """Let other batches run."""
        await self._writer.run(lambda on: on.execute(self._leave, key_of(batch)))
