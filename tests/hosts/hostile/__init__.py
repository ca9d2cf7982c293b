"""A portal in which every common name is taken and every default is changed."""
