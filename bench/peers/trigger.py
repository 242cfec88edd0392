"""The usual stream handler: write each change, without DynamoDB's types, into a history table."""

import os

import boto3
from boto3.dynamodb.types import TypeDeserializer

history = boto3.resource("dynamodb").Table(os.environ["FEED_TABLE"])
deserialize = TypeDeserializer().deserialize


def handler(event, context):
    with history.batch_writer() as batch:
        for record in event["Records"]:
            images = {
                name: {attribute: deserialize(value) for attribute, value in record["dynamodb"][image].items()}
                for name, image in (("new", "NewImage"), ("old", "OldImage"))
                if image in record["dynamodb"]
            }
            batch.put_item(Item={"id": record["eventID"], "op": record["eventName"], **images})
