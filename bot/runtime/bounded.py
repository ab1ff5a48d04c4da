"""Read a response from elsewhere, but no more of it than a limit."""

import aiohttp


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body of a response; None if it is longer than `limit` bytes, of which the rest is not read.

    The caller has to release the response, which closes the connection if the body was not read to its end.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            return None
    return bytes(body)
