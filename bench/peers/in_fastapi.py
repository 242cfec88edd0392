"""FastAPI behind Mangum, over boto3's resource."""

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.middleware.cors import CORSMiddleware
from mangum import Mangum
from reads import get, scan

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["*"])


@app.get("/items")
def list_items(request: Request, limit: int = Query(100, alias="_limit")):
    filters = {name: value for name, value in request.query_params.items() if not name.startswith("_")}
    items, following = scan(limit, filters)
    return {"items": items, "count": len(items), "next": following}


@app.get("/items/{partition}")
def get_item(partition: str):
    item = get(partition)
    if item is None:
        raise HTTPException(404)
    return item


handler = Mangum(app, lifespan="off")
