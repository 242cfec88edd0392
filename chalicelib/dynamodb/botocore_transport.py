"""DynamoDB calls by botocore: with its credentials, regions, endpoints, proxies, signing and retries."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

import botocore
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.parsers import JSONParser, ResponseParserFactory

from chalicelib.dynamodb import transport
from chalicelib.dynamodb.errors import NO_CREDENTIALS, NO_REGION, UNREACHABLE, DynamoDBError, cancellation_codes

_METHODS = {
    "DescribeTable": "describe_table",
    "GetItem": "get_item",
    "Query": "query",
    "Scan": "scan",
    "TransactWriteItems": "transact_write_items",
}
_VALUES = {"Key", "ExclusiveStartKey", "ExpressionAttributeValues"}

# botocore's exceptions, the more specific first -> our code
CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NoCredentialsError, NO_CREDENTIALS),
    (exceptions.PartialCredentialsError, NO_CREDENTIALS),
    (exceptions.CredentialRetrievalError, NO_CREDENTIALS),
    (exceptions.TokenRetrievalError, NO_CREDENTIALS),
    (exceptions.ProfileNotFound, NO_CREDENTIALS),
    (exceptions.NoRegionError, NO_REGION),
    (exceptions.BotoCoreError, UNREACHABLE),
)


# botocore has no type hints.
class _BodyParser(JSONParser):  # type: ignore[misc]
    """Parses errors, and leaves the body of an answer as it is: botocore's walk over DynamoDB's recursive shapes costs
    more than the rest of a request (boto/boto3#2928)."""

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        if response["status_code"] >= 300:
            parsed: dict[str, Any] = super().parse(response, shape)
            return parsed
        return {"body": response["body"], "ResponseMetadata": {"HTTPStatusCode": response["status_code"]}}


class _BodyParserFactory(ResponseParserFactory):  # type: ignore[misc]
    def create_parser(self, protocol_name: str) -> _BodyParser:
        return _BodyParser()


def client(service: str = "dynamodb") -> Any:
    """Return a client whose answers are {"body": bytes}. Its retries end within CALL_SECONDS."""
    session = botocore.session.get_session()
    session.register_component("response_parser_factory", _BodyParserFactory())
    config = Config(
        connect_timeout=transport.CONNECT_SECONDS,
        read_timeout=transport.READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": transport.ATTEMPTS},
        parameter_validation=False,
        # botocore builds its own for each request.
        user_agent=f"tablecast botocore/{botocore.__version__}",
    )
    return session.create_client(service, config=config)


class BotocoreTransport:
    """Makes its client at the first call: at import there may be no region, as in `chalice package`."""

    def __init__(self) -> None:
        self._client: Any = None
        self._lock = threading.Lock()

    def send(self, operation: str, request: Mapping[str, Any]) -> bytes:
        sent = {name: _with_bytes(value) if name in _VALUES else value for name, value in request.items()}
        try:
            with self._lock:
                self._client = self._client or client()
            body: bytes = getattr(self._client, _METHODS[operation])(**sent)["body"]
        except exceptions.ClientError as error:
            answer = error.response
            code, message = answer["Error"].get("Code", ""), answer["Error"].get("Message", "")
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            raise DynamoDBError(code, message, status, cancellation_codes(answer)) from error
        except exceptions.BotoCoreError as error:
            code = next(code for kind, code in CODES if isinstance(error, kind))
            raise DynamoDBError(code, str(error)) from error
        return body


def _with_bytes(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` with binary as bytes: botocore encodes them again."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in values.items()}
