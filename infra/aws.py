"""The AWS account and region that the credentials lead to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from infra.errors import UserError
from infra.policies import ArnScope

DEFAULT_ATTEMPTS = 4
# CreateDeployment is limited to one call in 5 seconds per account, and `chalice deploy` has just made one.
ATTEMPTS = {"apigateway": 9}


@dataclass(frozen=True)
class Account:
    """An account and region, with a session to make clients from."""

    session: boto3.session.Session
    scope: ArnScope

    def client(self, service: str) -> Any:
        return _client(self.session, service)


@contextlib.contextmanager
def connect() -> Iterator[Account]:
    """Yield the account. Raise UserError without credentials or region, or if AWS refuses a call in this context."""
    try:
        session = boto3.session.Session()
        if not session.region_name:
            raise UserError("No region. Set AWS_DEFAULT_REGION, or run aws configure.")
        identity = _client(session, "sts").get_caller_identity()
        _, partition, _, _, account, _ = identity["Arn"].split(":", 5)
        yield Account(session, ArnScope(partition, session.region_name, account))
    except (NoCredentialsError, PartialCredentialsError):
        raise UserError("No credentials. Set AWS_PROFILE, or run aws configure.") from None
    except ClientError as error:
        raise UserError(f"{error.operation_name}: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise UserError(" ".join(str(error).split())) from None


def _client(session: boto3.session.Session, service: str, **options: Any) -> Any:
    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS.get(service, DEFAULT_ATTEMPTS)}
    config = Config(connect_timeout=5, read_timeout=30, retries=retries)
    try:
        return session.client(service, config=config, **options)
    except BotoCoreError:
        raise  # An invalid region is a ValueError too.
    except ValueError as error:
        raise UserError(f"{error}. Set AWS_ENDPOINT_URL to a URL such as http://127.0.0.1:4566, or unset it.") from None
