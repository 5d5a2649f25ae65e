from procrastinate.contrib.django import app


@app.task(queue="mail")
def send(order: int) -> None:
    raise LookupError(f"order {order} has no address")
