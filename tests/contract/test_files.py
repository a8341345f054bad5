"""Files that are kept, with the official client."""

import hashlib

import openai
import pytest

LETTER = "Objet : demande de subvention\nMontant : 1 234,56 €\n".encode()
DAY = 86_400


@pytest.fixture
def letter(client):
    """A letter that is kept for a day, and gone after the test."""
    until = {"anchor": "created_at", "seconds": DAY}
    file = client.files.create(file=("Bescheid äöü.txt", LETTER), purpose="user_data", expires_after=until)
    yield file
    client.files.delete(file.id)


def test_a_file_is_kept_as_it_was_sent(client, letter):
    assert (letter.object, letter.filename, letter.purpose) == ("file", "Bescheid äöü.txt", "user_data")
    assert letter.bytes == len(LETTER)
    assert letter.expires_at - letter.created_at == DAY
    assert letter.sha256 == hashlib.sha256(LETTER).hexdigest()
    assert client.files.retrieve(letter.id) == letter
    assert client.files.content(letter.id).read() == LETTER


def test_files_are_listed_page_by_page(client, letter):
    others = [client.files.create(file=LETTER, purpose="user_data") for _ in range(2)]
    # The client asks for the next page by itself.
    listed = [file.id for file in client.files.list(limit=1, order="asc")]
    assert listed[-3:] == [letter.id, *(file.id for file in others)]
    assert [file.id for file in client.files.list(after=others[0].id)][0] == letter.id
    for file in others:
        assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError) as error:
        client.files.retrieve(others[0].id)
    assert error.value.code == "file_not_found"


def test_a_request_names_a_file(client, model, letter):
    part = {"type": "file", "file": {"file_id": letter.id}}
    chat = client.chat.completions.create(model=model, messages=[{"role": "user", "content": [part]}], max_tokens=1)
    assert chat.documents[0]["name"] == letter.filename
    part = {"type": "input_file", "file_id": letter.id}
    response = client.responses.create(model=model, input=[{"role": "user", "content": [part]}], max_output_tokens=1)
    assert response.documents == chat.documents


def test_what_is_not_kept_is_refused_by_its_field(client, model):
    with pytest.raises(openai.BadRequestError) as error:
        client.files.create(file=LETTER, purpose="batch")
    assert error.value.param == "purpose"
    part = {"type": "file", "file": {"file_id": "file-0"}}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": [part]}])
    assert (error.value.param, error.value.code) == ("messages[0].content[0].file.file_id", "file_not_found")
