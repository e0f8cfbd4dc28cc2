select '{{ var('label') }}' as label, {{ var('other') }} as other, '{{ helper.greet() }}' as greeting
