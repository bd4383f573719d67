"""Write the JSON of all dashboards beside their source: ``make dashboards``."""

from grafana.jouled_dashboards.catalogue import FOLDER, texts


def main() -> None:
    """Write them, and take away what is no dashboard any more."""
    made = texts()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote grafana/dashboards/{name}")
    for old in FOLDER.glob("*.json"):
        if old.name not in made:
            old.unlink()


if __name__ == "__main__":
    main()
