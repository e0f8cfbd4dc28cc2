{% macro generate_alias_name(custom_alias_name, node) %}
  {{- custom_alias_name or (node.name ~ '_it') if node.name.startswith('e') else (custom_alias_name or node.name) -}}
{% endmacro %}
