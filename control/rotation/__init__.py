"""A sending domain's DKIM key is replaced in stages, none of which leaves mail unverifiable."""
