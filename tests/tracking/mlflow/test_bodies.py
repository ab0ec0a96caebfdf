"""Bodies of log-batch and log-metric, small ones too, are read strictly: what is odd is refused, and nothing stored."""

import pytest

from tests.factories.door import Door

ROW = '{"key":"a","value":1,"timestamp":1,"step":1}'


@pytest.mark.parametrize(
    "body",
    [
        '{"run_id":"RUN","run_id":"RUN","metrics":[ROW]}',
        '{"run_id":"RUN","metrics":[],"metrics":[ROW]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":1,"timestamp":1,"step":1,"step":2}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":1,"timestamp":1,"step":1,"st\\u0065p":2}]}',
        '{"run_id":"RUN","metrics":[ROW,{"key":"b","value":1,"timestamp":1}],"params":[{"key":"p","value":"1","value":"2"}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":1,"timestamp":1,"step":1,"step":2},{"key":"b","value":1,"timestamp":1}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":123456789012345678901234567890,"timestamp":1,"step":1}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value": -123456789012345678901234567890,"timestamp":1,"step":1}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":\n123456789012345678901234567890,"timestamp":1,"step":1}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":NaN,"timestamp":1,"step":1}]}',
        '{"run_id":"RUN","metrics":[{"key":"a","value":1e999,"timestamp":1,"step":1}]}',
        '{"run_id":"RUN","metrics":[ROW]} ROW',
    ],
)
def test_a_small_body_is_read_as_strictly_as_any(door: Door, body: str) -> None:
    run = door.run()
    status, answer = door.send("runs/log-batch", body.replace("RUN", run).replace("ROW", ROW).encode(), raw=True)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert door.data(run)["metrics"] == {}


def test_digits_behind_a_point_are_read_to_the_last(door: Door) -> None:
    run, texts = door.run(), ["0.012345678901234567890123", "1.1102230246251565404236316680908203126e-16", "3"]
    rows = ",".join(f'{{"key":"m{at}","value":{text},"timestamp":1,"step":1}}' for at, text in enumerate(texts))
    assert door.send("runs/log-batch", f'{{"run_id":"{run}","metrics":[{rows}]}}'.encode(), raw=True)[0] == 200
    assert door.data(run)["metrics"] == {f"m{at}": float(text) for at, text in enumerate(texts)}


@pytest.mark.parametrize(
    "fields",
    [
        '"key":"a","value":1,"timestamp":1,"step":1,"step":2',
        '"key":"a","value":1,"timestamp":1,"step":1,"st\\u0065p":2',
        '"run_id":"RUN","key":"a","value":1,"timestamp":1,"step":1',
        '"key":"a/../b","value":1,"timestamp":1,"step":1',
        '"key":"a","value":NaN,"timestamp":1,"step":1',
        '"key":"a","value":"many","timestamp":1,"step":1',
        '"key":"a","value":1,"timestamp":-1,"step":1',
        '"key":"a","value":1,"timestamp":1,"step":1.5',
    ],
)
def test_a_single_point_is_read_as_strictly_as_any(door: Door, fields: str) -> None:
    run = door.run()
    body = f'{{"run_id":"{run}",{fields.replace("RUN", run)}}}'.encode()
    assert door.send("runs/log-metric", body, raw=True)[0] == 400
    assert door.data(run)["metrics"] == {}


@pytest.mark.parametrize("size", [10, 5_000])
def test_a_body_that_is_not_utf_8_is_refused(door: Door, size: int) -> None:
    run = door.run()
    rows = ",".join([ROW] * (size // 10))
    body = f'{{"run_id":"{run}","metrics":[{rows}],"tags":[{{"key":"t","value":"?"}}]}}'.encode().replace(b"?", b"\xff")
    assert door.send("runs/log-batch", body, raw=True)[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        '{"run_id":"RUN","metrics":[ROWS],"run_id":"RUN"}',
        '{"run_id":"RUN","metrics":[ROWS,BARE,BARE,{"key":"a","value":1,"timestamp":1,"step":1,"step":2}]}',
        '{"run_id":"RUN","metrics":[ROWS],"tags":[{"key":"t","\\u006bey":"u","value":"v"}]}',
    ],
)
def test_a_large_body_is_read_as_strictly(door: Door, body: str) -> None:
    run = door.run()
    text = (
        body.replace("RUN", run)
        .replace("BARE", '{"key":"b","value":1,"timestamp":1}')
        .replace("ROWS", ",".join([ROW] * 100))
    )
    status, answer = door.send("runs/log-batch", text.encode(), raw=True)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert door.data(run)["metrics"] == {}
