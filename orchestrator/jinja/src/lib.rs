//! dbt's Jinja dialect on top of minijinja.
