"""Private addresses from which somebody's own calendar fetches visits."""
