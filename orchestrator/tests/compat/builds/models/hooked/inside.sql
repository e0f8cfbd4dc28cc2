{{ config(materialized='table', post_hook=["{{ note('own') }}", after_commit("analyze {{ this }}")], pre_hook={'sql': "{{ note('early') }}", 'transaction': False}) }}
select 1 as x
