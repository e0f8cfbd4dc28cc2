select {{ var("v") }} as a, {{ var("plain") }} as b
