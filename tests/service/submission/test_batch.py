"""The ids of a batch: new ones, or ones made of a key."""

from uuid import UUID

from comfytui.service.submission.batch import BatchRequest, batch_request


def ids_of(request: BatchRequest) -> list[str]:
    return [request.batch_id, request.submission_id, *request.prompt_ids]


def test_a_repeated_key_has_the_same_ids() -> None:
    first, second = (batch_request("a fox", [{"1": {}}, {"2": {}}], key="order 7") for _ in range(2))
    assert ids_of(first) == ids_of(second)
    assert len({*ids_of(first)}) == 4
    assert all(str(UUID(each)) == each for each in ids_of(first))


def test_other_keys_have_other_ids() -> None:
    ids = [*ids_of(batch_request("a fox", [{}], key="7")), *ids_of(batch_request("a fox", [{}], key="7/0"))]
    assert len({*ids}) == 6


def test_without_a_key_ids_are_new() -> None:
    first, second = (batch_request("a fox", [{}]) for _ in range(2))
    assert not {*ids_of(first)} & {*ids_of(second)}
