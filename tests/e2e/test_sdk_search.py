"""Searching vector stores through the official openai SDK for Python, unmodified."""
import openai
import pytest

# Every text answers the question; the attributes tell them apart.
PLANETS = {
    "mercury.txt": ("Mercury is a planet that circles the sun in 88 days.", {"name": "Mercury", "moons": 0, "gas": False, "order": 1}),
    "earth.txt": ("Earth is a planet that circles the sun in 365 days.", {"name": "Earth", "moons": 1, "gas": False, "order": 3}),
    "mars.txt": ("Mars is a planet that circles the sun in 687 days.", {"name": "Mars", "moons": 2, "gas": False, "order": 4}),
    "jupiter.txt": ("Jupiter is a planet that circles the sun in 4333 days.", {"name": "Jupiter", "moons": 97, "gas": True, "order": 5.5}),
    "unknown.txt": ("The ninth planet would circle the sun in many thousand days.", {}),
}
QUESTION = "How many days does a planet need to circle the sun?"


@pytest.fixture(scope="module")
def planets(client):
    store = client.vector_stores.create(name="planets")
    ids = {client.files.create(file=(name, text.encode()), purpose="assistants").id: attributes
           for name, (text, attributes) in PLANETS.items()}
    client.vector_stores.file_batches.create_and_poll(
        store.id, files=[{"file_id": file, "attributes": attributes} for file, attributes in ids.items()])
    yield store.id
    client.vector_stores.delete(store.id)


def search(client, store, query=QUESTION, **fields):
    return {hit.filename.removesuffix(".txt") for hit in client.vector_stores.search(store, query=query, **fields).data}


ALL = {"mercury", "earth", "mars", "jupiter", "unknown"}


@pytest.mark.parametrize("kind, key, value, found", [
    ("eq", "name", "Mars", {"mars"}),
    ("eq", "gas", True, {"jupiter"}),
    ("eq", "moons", 1.0, {"earth"}),
    ("eq", "moons", "1", set()),
    ("ne", "name", "Mars", ALL - {"mars"}),
    ("gt", "moons", 1, {"mars", "jupiter"}),
    ("gte", "moons", 1, {"earth", "mars", "jupiter"}),
    ("lt", "moons", 1, {"mercury"}),
    ("lte", "moons", 1, {"mercury", "earth"}),
    ("gt", "order", 5, {"jupiter"}),
    ("in", "name", ["Mars", "Earth", "Pluto"], {"mars", "earth"}),
    ("in", "moons", [0, 97], {"mercury", "jupiter"}),
    ("nin", "name", ["Mars", "Earth"], ALL - {"mars", "earth"}),
    ("eq", "colour", "red", set()),
])
def test_comparisons(client, planets, kind, key, value, found):
    assert search(client, planets, filters={"type": kind, "key": key, "value": value}) == found


def test_compound_filters(client, planets):
    rocky = {"type": "eq", "key": "gas", "value": False}
    moons = {"type": "gte", "key": "moons", "value": 1}
    mercury = {"type": "eq", "key": "name", "value": "Mercury"}
    assert search(client, planets, filters={"type": "and", "filters": [rocky, moons]}) == {"earth", "mars"}
    assert search(client, planets, filters={"type": "or", "filters": [mercury, moons]}) == {"mercury", "earth", "mars", "jupiter"}
    nested = {"type": "and", "filters": [rocky, {"type": "or", "filters": [mercury, {"type": "eq", "key": "moons", "value": 2}]}]}
    assert search(client, planets, filters=nested) == {"mercury", "mars"}


def test_the_shape_of_what_is_found(client, planets):
    page = client.vector_stores.search(planets, query=QUESTION, max_num_results=2)
    assert (page.object, page.has_more, page.next_page) == ("vector_store.search_results.page", False, None)
    assert page.search_query == [QUESTION] and len(page.data) == 2
    for hit in page.data:
        text, attributes = PLANETS[hit.filename]
        assert hit.file_id.startswith("file-") and hit.attributes == attributes
        assert [part.to_dict() for part in hit.content] == [{"type": "text", "text": text}]
        assert 0 <= hit.score <= 1
    assert page.data[0].score >= page.data[1].score


def test_several_queries_at_once(client, planets):
    page = client.vector_stores.search(planets, query=["Jupiter 4333", "Mercury 88"], max_num_results=2)
    assert page.search_query == ["Jupiter 4333", "Mercury 88"]
    assert {hit.filename for hit in page.data} == {"jupiter.txt", "mercury.txt"}, "each query brings its best"


def test_ranking_options(client, planets):
    hits = client.vector_stores.search(planets, query="Mars 687 days").data
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True) and hits[0].filename == "mars.txt"
    above = client.vector_stores.search(planets, query="Mars 687 days",
                                        ranking_options={"ranker": "auto", "score_threshold": scores[0]}).data
    assert [hit.filename for hit in above] == ["mars.txt"]
    assert search(client, planets, ranking_options={"ranker": "none", "score_threshold": 0}) == ALL
    for weights in ((1, 0), (0, 1), (0.5, 2)):
        hybrid = {"embedding_weight": weights[0], "text_weight": weights[1]}
        hits = client.vector_stores.search(planets, query="Mars 687 days", ranking_options={"hybrid_search": hybrid}).data
        assert hits[0].filename == "mars.txt", weights


def test_what_is_searched_by_words_alone_has_the_words(client, planets):
    words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
    assert search(client, planets, query="4333", ranking_options=words) == {"jupiter"}


def deep(levels):
    inner = {"type": "eq", "key": "name", "value": "Mars"}
    for _ in range(levels):
        inner = {"type": "and", "filters": [inner]}
    return inner


@pytest.mark.parametrize("param, fields", [
    ("query", {"query": ""}),
    ("query", {"query": []}),
    ("query", {"query": ["words", ""]}),
    ("query", {"query": 7}),
    ("max_num_results", {"max_num_results": 0}),
    ("max_num_results", {"max_num_results": 51}),
    ("max_num_results", {"max_num_results": "3"}),
    ("rewrite_query", {"rewrite_query": True}),
    ("ranking_options", {"ranking_options": {"ranker": "magic"}}),
    ("ranking_options", {"ranking_options": {"score_threshold": 1.5}}),
    ("ranking_options", {"ranking_options": {"hybrid_search": {"embedding_weight": 0, "text_weight": 0}}}),
    ("ranking_options", {"ranking_options": {"hybrid_search": {"embedding_weight": -1, "text_weight": 1}}}),
    ("filters", {"filters": {"type": "like", "key": "name", "value": "M"}}),
    ("filters", {"filters": {"type": "eq", "key": "name"}}),
    ("filters", {"filters": {"type": "in", "key": "name", "value": "Mars"}}),
    ("filters", {"filters": {"type": "eq", "key": "name", "value": {"a": 1}}}),
    ("filters", {"filters": {"type": "and", "filters": "all"}}),
    ("filters", {"filters": deep(9)}),
    ("", {"filters": deep(150)}),
])
def test_a_search_that_cannot_be_is_refused(client, planets, param, fields):
    with pytest.raises(openai.BadRequestError) as error:
        client.vector_stores.search(planets, **{"query": QUESTION, **fields})
    assert error.value.type == "invalid_request_error" and error.value.body["message"]
    assert (error.value.param or "").startswith(param), error.value.body


def test_rewriting_may_be_declined(client, planets):
    assert search(client, planets, rewrite_query=False) == ALL
