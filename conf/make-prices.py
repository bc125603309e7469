#!/usr/bin/env python3
"""Makes conf/prices.toml from the price list inside the PyPI package `litellm`.

    pip download --no-deps litellm --dest /tmp/prices
    conf/make-prices.py /tmp/prices/litellm-*.whl > conf/prices.toml

Numbers are read as decimals from the JSON text, so that 2.5e-06 a token
becomes "2.5" a million and no float comes near them.
"""

import json
import re
import sys
import zipfile
from decimal import Decimal

LIST = "litellm/model_prices_and_context_window_backup.json"

# The list names no days. Rows hold from before the first request that this
# hub can have booked; a later price is a new row with its own day.
VALID_FROM = "2026-01-01"

PROVIDERS = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "deepseek": "deepseek",
    "xai": "xai",
    "openrouter": "openrouter",
    "volcengine": "doubao",
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "gemini": "gemini",
}
PREFIXES = ("deepseek/", "xai/", "openrouter/", "volcengine/", "gemini/", "text-completion-openai/")
POPULAR = ("anthropic/", "deepseek/", "google/", "meta-llama/", "mistralai/", "moonshotai/", "openai/", "qwen/", "x-ai/", "z-ai/")
MODES = {
    "chat", "responses", "completion", "embedding", "moderation", "realtime",
    "image_generation", "image_edit", "audio_transcription", "audio_speech",
}
IMAGES = {"image_generation", "image_edit"}
AUDIO = {"audio_transcription", "audio_speech"}

# Our name: the list's name of the price of one token.
TOKENS = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_input": "input_cost_per_audio_token",
    "audio_output": "output_cost_per_audio_token",
}
NAMES = [*TOKENS, "image", "second", "character", "request"]


def per_million(price):
    text = format(Decimal(price) * 1_000_000, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text.partition(".")[2]) > 12:
        raise ValueError(f"{price} is finer than 10^-12 per million")
    return text


def first(row, *names):
    """The first price that is stated and not nothing."""
    return next((row[name] for name in names if row.get(name)), None)


def token_rates(row, suffix=""):
    rates = {ours: row.get(theirs + suffix) for ours, theirs in TOKENS.items()}
    # A vendor that does not bill cache writes states 0, and reports none.
    for name in ("cache_write_5m", "cache_write_1h"):
        rates[name] = rates[name] or None
    return {name: price for name, price in rates.items() if price is not None}


def base_rates(row):
    mode = row["mode"]
    rates = token_rates(row)
    if mode in IMAGES:
        price = first(row, "output_cost_per_image_token")
        if price:
            rates["output"] = price
        elif not rates.get("output"):
            rates["image"] = first(row, "output_cost_per_image", "input_cost_per_image")
    if mode in AUDIO and not rates.get("output"):
        rates["second"] = first(row, "input_cost_per_second", "output_cost_per_second")
        rates["character"] = first(row, "input_cost_per_character")
    return {name: price for name, price in rates.items() if price is not None}


def tiers(row):
    """From more than so many thousand input tokens on."""
    found = {}
    for name in row:
        match = re.fullmatch(r"input_cost_per_token(_above_(\d+)k_tokens)", name)
        if match:
            found[int(match[2]) * 1000 + 1] = token_rates(row, match[1])
    for part in row.get("tiered_pricing", []):
        start = int(part["range"][0])
        if start:
            found[start + 1] = token_rates(part)
    return sorted(found.items())


def rates_of(row):
    rates = base_rates(row)
    for part in row.get("tiered_pricing", []):
        if int(part["range"][0]) == 0:
            rates |= token_rates(part)
    return rates


def model_name(name):
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    # A fine-tuned model is called by its base and by whom it belongs to.
    return name + "*" if name.startswith("ft:") else name


def is_wanted(name, provider, row):
    if row.get("mode") not in MODES:
        return False
    model = model_name(name)
    if provider == "openrouter":
        return model.startswith(POPULAR)
    # Prices by size or region, which no model is called by.
    return "/" not in model


def toml_rates(rates):
    return [f'{name} = "{per_million(rates[name])}"' for name in NAMES if name in rates]


def toml_row(provider, model, row):
    lines = ["[[price]]", f"provider = {json.dumps(provider)}", f"model = {json.dumps(model)}"]
    lines += [f'valid_from = "{VALID_FROM}"', *toml_rates(rates_of(row))]
    steps = ["{ " + ", ".join([f"from = {start}", *toml_rates(rates)]) + " }" for start, rates in tiers(row)]
    if steps:
        lines.append(f"tiers = [{', '.join(steps)}]")
    if row.get("source"):
        lines.append(f"source = {json.dumps(row['source'])}")
    return "\n".join(lines)


SIMULATOR = f"""\
[[price]]
provider = "simulator"
model = "*"
valid_from = "{VALID_FROM}"
input = "2.5"
cache_read = "1.25"
output = "10"
image = "40000"
second = "100"
character = "15"
source = "made up\""""


def main(path):
    version = re.search(r"litellm-([0-9.]+)-", path)[1]
    with zipfile.ZipFile(path) as wheel:
        listed = json.loads(wheel.read(LIST).decode(), parse_float=Decimal)
        # The MIT part of it, which the list is under.
        notice = wheel.read(next(n for n in wheel.namelist() if n.endswith("/licenses/LICENSE"))).decode()
    licence = "\n".join(f"# {line}".rstrip() for line in notice[notice.index("MIT License"):].strip().splitlines())
    rows = {}
    for name, row in listed.items():
        provider = PROVIDERS.get(row.get("litellm_provider"))
        if not provider or not is_wanted(name, provider, row) or not any(rates_of(row).values()):
            continue
        key = (provider, model_name(name))
        # The row that is named like its provider is the better kept one.
        if key not in rows or name.startswith(PREFIXES):
            rows[key] = row
    print(f"""\
# Public list prices, in US dollars per million units (tokens, images, seconds,
# characters, requests). Made by conf/make-prices.py; do not edit, but put rows
# of your own in a price file of your configuration.
#
# Source: {LIST}
# of the PyPI package litellm {version} (https://github.com/BerriAI/litellm).
# `source` is the vendor's page that the list names. The list's licence:
#
{licence}
""")
    blocks = [SIMULATOR, *(toml_row(*key, rows[key]) for key in sorted(rows))]
    print("\n\n".join(blocks))


main(*sys.argv[1:])
