"""HTTP in, HTTP out: one package for each journey, each with views and forms."""

if __name__ != "s2s_portal.blueprints":
    raise ImportError(
        "This folder is installed as s2s_portal.blueprints; import it by that name"
        " (after `pip install -e .`), or two copies of every view will be loaded."
    )
