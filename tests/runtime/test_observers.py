import pytest

from bot.runtime.observers import Topic


def test_subscribers_are_called_in_the_order_of_their_subscription() -> None:
    topic, heard = Topic[str](), list[str]()
    topic.publish("unheard")
    topic.subscribe(lambda news: heard.append(f"first {news}"))
    topic.subscribe(lambda news: heard.append(f"second {news}"))
    topic.publish("news")
    assert heard == ["first news", "second news"]


def test_a_subscriber_that_raises_stops_neither_the_publisher_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic, heard = Topic[str](lambda news: {"request": news}), list[str]()

    def breaks(news: str) -> None:
        raise ValueError(news)

    topic.subscribe(breaks)
    topic.subscribe(heard.append)
    topic.publish("news")
    assert heard == ["news"]
    [record] = caplog.records
    assert (record.message, record.__dict__["request"]) == ("unforeseen error", "news")
